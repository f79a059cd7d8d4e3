"""How well pictures and words agree."""
