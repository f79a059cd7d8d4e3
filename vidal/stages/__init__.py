"""The stages of the pipeline, each in its own file or folder: the code that processes a record, and a Stage, which describes this code.

order.py lists the stages. A process imports only the stages that it runs.
"""
