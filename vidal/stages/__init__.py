"""The stages. Each has a folder or a file with its worker, which maps a record, and the Stage that describes it. `order` lists them.

A worker process imports only the stages that it runs.
"""
