"""Builds the search-term database, in the paper's order: normalise, filter by frequency, tag, count, balance, assign to shards."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vidal import ids, schema
from vidal.config.recipe import Recipe
from vidal.errors import UserError
from vidal.schema import STR
from vidal.storage.storage import Storage
from vidal.terms import tag_partition as buckets
from vidal.terms.balance import STRATEGIES, Bucket, Selected
from vidal.terms.partition import PartitionStats, bucket_file, partition_texts
from vidal.terms.tag_partition import Counts, Work, resolved_name
from vidal.terms.tagging import RUN, Keyword, load, torch_aside

# Raise this with any change to which terms the same corpora and settings give.
VERSION = 1
TABLE = "terms.parquet"
SUMMARY = "summary.json"
# Below this number of texts, a cluster takes longer to start than one process takes to finish.
_WORTH_A_CLUSTER = 20_000

# Runs a function over items, in any process and any order, and yields the results as they come.
Map = Callable[[Callable[[Work], Counts], list[Work]], Iterable[Counts]]


@dataclass
class Summary:
    """How many texts and terms a build had at each step.

    read: texts, by corpus. long: texts left out because they have too many words. rare: distinct texts left out because they occur too
    seldom. distinct: distinct texts that are neither too long nor too rare. terms: terms that balancing has selected. by_source: how many
    of the selected terms occur in a corpus, by corpus.
    before, after: how many terms contain each keyword before and after balancing, as (keyword, POS, count), most frequent first.
    """

    recipe: str
    strategy: str
    read: dict[str, int]
    distinct: int
    rare: int
    long: int
    terms: int
    by_source: dict[str, int]
    before: list[tuple[str, str, int]] = field(repr=False)
    after: list[tuple[str, str, int]] = field(repr=False)

    @property
    def coverage(self) -> float:
        """The fraction, 0 to 1, of the keywords that still occur in a selected term after balancing."""
        return len(self.after) / max(1, len(self.before))

    def head(self) -> tuple[str, float, float]:
        """Returns the most frequent keyword before balancing, its share of the distinct texts, and its share of the selected terms."""
        if not self.before:
            return "", 0.0, 0.0
        keyword, pos, count = self.before[0]
        after = next((n for k, p, n in self.after if (k, p) == (keyword, pos)), 0)
        return keyword, count / max(1, self.distinct), after / max(1, self.terms)


def in_process(function: Callable[[Work], Counts], items: list[Work]) -> Iterator[Counts]:
    return map(function, items)


def build(recipe: Recipe, storage: Storage, cluster: Callable[[], Map] | None = None) -> Summary:
    """Writes terms.parquet (schema.TERMS, ordered by term) and summary.json. The same corpora and recipe give the same bytes.

    cluster: returns a Map over many processes; it is only called if there are enough texts. Raises UserError if there is no corpus or
    no term.
    """
    terms = recipe.terms
    if not terms.corpora:
        raise UserError(f"recipe {recipe.name}: terms.corpora names no corpus: name one, or set terms.database")
    with torch_aside():
        load(terms.tagger)
    stats = partition_texts(terms, storage)
    storage.write(buckets.PHRASES, json.dumps(sorted(stats.phrases)).encode())
    sources = tuple(corpus.source for corpus in terms.corpora)
    work = [Work(storage.uri, i, sources, terms.tagger, terms.frequency_min) for i in range(terms.buckets)]
    run = cluster() if cluster and stats.total >= _WORTH_A_CLUSTER else in_process
    tagged = _sum(run(buckets.tag, work))
    if not tagged.terms:
        raise UserError(
            f"recipe {recipe.name}: none of the {stats.total} texts became a term: lower terms.frequency_min, or raise terms.words_max"
        )
    whole = sorted(k.split("\t")[0] for (k, pos), n in tagged.tally.items() if pos == RUN and n >= terms.phrase_min)
    storage.write(buckets.RUNS, json.dumps(whole).encode())
    before = _sum(run(buckets.resolve_phrases, work)).tally
    summary = _balance(recipe, storage, stats, tagged, before)
    for item in work:
        storage.remove(bucket_file(item.index))
        storage.remove(resolved_name(item.index))
    return summary


def _sum(results: Iterable[Counts]) -> Counts:
    terms, rare, bare, tally = 0, 0, 0, Counter[Keyword]()
    for result in results:
        terms, rare, bare = terms + result.terms, rare + result.rare, bare + result.bare
        tally.update(result.tally)
    return Counts(terms, rare, bare, tally)


def _balance(
    recipe: Recipe, storage: Storage, stats: PartitionStats, tagged: Counts, before: Counter[Keyword]
) -> Summary:
    vocabulary = sorted({keyword for keyword, _ in before})
    counts = np.zeros(len(vocabulary) + 1, np.int64)  # The last count is that of the terms without noun or verb.
    numbers = {keyword: number for number, keyword in enumerate(vocabulary)}
    for (keyword, _), count in before.items():
        counts[numbers[keyword]] += count
    counts[-1] = tagged.bare
    values = pa.array(vocabulary, STR)

    def read() -> Iterator[Bucket]:
        for index in range(recipe.terms.buckets):
            table = storage.read_table(resolved_name(index), ["term", "keywords"])
            yield Bucket(index, table.column("term").to_pylist(), _numbered(table, values))

    table = _table(STRATEGIES[recipe.terms.strategy](read, counts, recipe.terms), recipe, storage)
    storage.write_table(TABLE, table, {"fingerprint": fingerprint(recipe)})
    after = buckets.tally(table)
    by_source = Counter(source for listed in table.column("sources").to_pylist() for source in listed)
    summary = Summary(
        recipe=recipe.name,
        strategy=recipe.terms.strategy,
        read=stats.read,
        distinct=tagged.terms,
        rare=tagged.rare,
        long=stats.long,
        terms=table.num_rows,
        by_source=dict(sorted(by_source.items())),
        before=_ranked(before),
        after=_ranked(after),
    )
    storage.write(SUMMARY, json.dumps(asdict(summary), ensure_ascii=False, indent=0).encode())
    return summary


def fingerprint(recipe: Recipe) -> str:
    """Returns the fingerprint of the settings of the terms, the number of shards and the versions of the algorithms.

    The contents of the corpora are not included, so that they need not be read.
    """
    settings = recipe.terms.model_dump(mode="json", exclude={"database", "budget"})
    return ids.fingerprint([settings, recipe.shards, VERSION, buckets.VERSION])


def read_summary(storage: Storage) -> Summary:
    summary = json.loads(storage.read(SUMMARY))
    for key in ("before", "after"):
        summary[key] = [tuple(entry) for entry in summary[key]]
    return Summary(**summary)


def _numbered(table: pa.Table, vocabulary: pa.Array) -> list[list[int]]:
    lists = table.column("keywords").combine_chunks()
    flat = pc.index_in(lists.flatten(), value_set=vocabulary).to_pylist()
    ends = lists.offsets.to_pylist()
    none = [len(vocabulary)]
    return [flat[start:end] or none for start, end in itertools.pairwise(ends)]


def _table(selected: Selected, recipe: Recipe, storage: Storage) -> pa.Table:
    rows: dict[int, list[int]] = {}
    for index, row in sorted(selected):
        rows.setdefault(index, []).append(row)
    table = pa.concat_tables(storage.read_table(resolved_name(index)).take(kept) for index, kept in rows.items())
    table = table.sort_by("term")
    terms = table.column("term").to_pylist()
    columns = {name: table.column(name) for name in table.column_names}
    columns["term_id"] = pa.array([ids.term_id(term) for term in terms], STR)
    columns["shard"] = pa.array([ids.jump_hash(term, recipe.shards) for term in terms], pa.int32())
    return pa.Table.from_arrays(
        [columns[name].cast(schema.TERMS.field(name).type) for name in schema.TERMS.names], schema=schema.TERMS
    )


def _ranked(tally: Counter[Keyword]) -> list[tuple[str, str, int]]:
    return [(keyword, pos, n) for (keyword, pos), n in sorted(tally.items(), key=lambda entry: (-entry[1], entry[0]))]
