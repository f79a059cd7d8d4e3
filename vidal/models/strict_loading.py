"""Loads models of transformers strictly: a weight that the checkpoint lacks is an error, and is not initialised at random."""

from __future__ import annotations

from typing import Any

from vidal.errors import UserError


def from_pretrained(kind: Any, source: str, **arguments: Any) -> Any:
    """Returns kind.from_pretrained(source). kind: a class of transformers, or AutoModel.

    Raises UserError if the checkpoint lacks weights or has them in another shape; the error names the first three.
    """
    model, report = kind.from_pretrained(source, output_loading_info=True, ignore_mismatched_sizes=True, **arguments)
    missing = sorted(report["missing_keys"])
    mismatched = sorted(each[0] if isinstance(each, tuple) else each for each in report["mismatched_keys"])
    for problem, names in (("are missing", missing), ("have another shape", mismatched)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise UserError(
                f"{source}: weights {problem}: {', '.join(names[:3])}{more}; give a complete checkpoint of {kind.__name__}"
            )
    return model
