"""The stages of the pipeline. Each stage has its own file or folder.

The file or folder contains the code that processes a record, and the Stage that describes this code. order.py lists the stages.
vidal/stages/__init__.py imports no stage. A process can therefore import only the stages that it needs.
"""
