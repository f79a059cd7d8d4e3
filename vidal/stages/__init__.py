"""The stages of the pipeline. Each has a file or folder with its worker, which processes a record, and the Stage that describes it.

order.py lists them. A worker process imports only the stages that it runs.
"""
