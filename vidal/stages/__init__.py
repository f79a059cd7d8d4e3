"""The stages, one file each: a worker that maps a record, and the Stage that describes it. `order` defines their order.

A worker process imports only the stages that it runs.
"""
