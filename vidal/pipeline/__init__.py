"""How work is run: stages over parts, in worker processes or in this one."""
