"""The few calls to Milvus that an index needs, with every failure turned into one sentence.

Secrets come from the environment only: ``RAC_MILVUS_TOKEN`` (``user:password`` or an API key), ``RAC_MILVUS_CA`` (file
with the certificate authority of a TLS server), ``RAC_MILVUS_CERT`` and ``RAC_MILVUS_KEY`` (files of a client
certificate).
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rac.errors import UserError
from rac.retrieval.settings import IndexSettings

log = logging.getLogger(__name__)

VALUE_LIMIT = 65_535
"""Bytes of a text or JSON value in Milvus."""

FIELDS = {"bm25": "words", "dense": "vector", "sparse": "learned"}
Record = tuple[dict[str, Any], float]
"""The passage of an entry as plain JSON types, and the entry's score."""


def connect(settings: IndexSettings, path: Path) -> Engine:
    """Connect to the server or file that ``settings.uri`` names; ``corpus.db`` inside the index directory by default.

    Raises:
        UserError: if the client is not installed, or the server does not answer or refuses the token.
    """
    # grpc writes to standard error that it pings less often from now on; errors reach us as exceptions.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise UserError(
            "the strategy 'milvus' needs the package pymilvus, which is not installed; install it with "
            "`pip install 'rac-clarify[milvus]'`"
        ) from error
    # These log a traceback for every error that is also raised, and for calls that milvus-lite does not have.
    for noisy in ("pymilvus", "grpc"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    for noisy in ("faiss", "milvus_lite"):  # these tell how they start
        logging.getLogger(noisy).setLevel(logging.WARNING)
    uri = settings.uri or str(path / "corpus.db")
    remote = is_remote(uri)
    if not remote and not uri.endswith(".db"):
        raise UserError(
            f"index.uri is '{uri}'; give a file ending in .db (milvus-lite), or http(s)://HOST:PORT of a server"
        )
    options: dict[str, Any] = {}
    if remote:
        options = {
            "token": os.environ.get("RAC_MILVUS_TOKEN", ""),
            "server_pem_path": os.environ.get("RAC_MILVUS_CA", ""),
            "client_pem_path": os.environ.get("RAC_MILVUS_CERT", ""),
            "client_key_path": os.environ.get("RAC_MILVUS_KEY", ""),
        }
        options = {key: value for key, value in options.items() if value}
    else:
        Path(uri).absolute().parent.mkdir(parents=True, exist_ok=True)
    try:
        return Engine(MilvusClient(uri, timeout=30, **options), uri, remote)
    except Exception as error:  # the client raises its own, grpc's and plain exceptions here
        raise UserError(
            f"Milvus at {uri} cannot be used: {_reason(error)}; check the address, that the server runs, and "
            "RAC_MILVUS_TOKEN"
        ) from error


def is_remote(uri: str) -> bool:
    """Whether an address is that of a server, not of a file."""
    return uri.startswith(("http://", "https://", "tcp://"))


def resolved_uri(uri: str) -> str:
    """Return an address that means the same from every working directory."""
    return uri if not uri or is_remote(uri) else str(Path(uri).absolute())


def _reason(error: BaseException) -> str:
    text = str(getattr(error, "message", "") or error).strip().splitlines()
    return text[0][:200] if text else type(error).__name__


_READING = frozenset({"search", "hybrid_search", "query"})
_NOT_LOADED = re.compile(r"not loaded|state 'released'")


class Engine:
    """A connection to Milvus. Methods raise ``UserError`` for whatever the server refuses."""

    def __init__(self, client: Any, uri: str, remote: bool) -> None:
        self._client, self._uri, self._remote = client, uri, remote

    def _call(self, what: str, method: str, *args: Any, **options: Any) -> Any:
        from pymilvus.exceptions import MilvusException

        try:
            return getattr(self._client, method)(*args, **options)
        except MilvusException as error:
            if method in _READING and _NOT_LOADED.search(_reason(error)):
                # A server that was started again has the collections, but not in memory.
                self._call("load", "load_collection", args[0])
                try:
                    return getattr(self._client, method)(*args, **options)
                except MilvusException as again:
                    error = again
            raise UserError(f"Milvus at {self._uri} cannot {what}: {_reason(error)}") from error

    def create(self, name: str, settings: IndexSettings, dimensions: int | None) -> None:
        """Create a collection with a field and an index for every part."""
        from pymilvus import DataType, Function, FunctionType

        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=64)
        schema.add_field("document", DataType.VARCHAR, max_length=32)
        schema.add_field("passage", DataType.JSON)
        index = self._client.prepare_index_params()
        if "bm25" in settings.parts:
            schema.add_field(
                "text", DataType.VARCHAR, max_length=VALUE_LIMIT, enable_analyzer=True,
                analyzer_params={"tokenizer": "standard"},
            )  # fmt: skip
            schema.add_field(FIELDS["bm25"], DataType.SPARSE_FLOAT_VECTOR)
            bm25 = Function(
                name="bm25",
                function_type=FunctionType.BM25,
                input_field_names=["text"],
                output_field_names=[FIELDS["bm25"]],
            )
            schema.add_function(bm25)
            index.add_index(
                FIELDS["bm25"], index_type="SPARSE_INVERTED_INDEX", metric_type="BM25",
                params={"bm25_k1": settings.k1, "bm25_b": settings.b},
            )  # fmt: skip
        if "dense" in settings.parts:
            schema.add_field(FIELDS["dense"], DataType.FLOAT_VECTOR, dim=dimensions)
            if settings.approximate:
                graph = {"M": settings.hnsw_links, "efConstruction": settings.ef_build}
                index.add_index(FIELDS["dense"], index_type="HNSW", metric_type="IP", params=graph)
            else:
                index.add_index(FIELDS["dense"], index_type="FLAT", metric_type="IP")
        if "sparse" in settings.parts:
            schema.add_field(FIELDS["sparse"], DataType.SPARSE_FLOAT_VECTOR)
            index.add_index(FIELDS["sparse"], index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        self._call("create a collection", "create_collection", name, schema=schema, index_params=index)

    def insert(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Insert entries."""
        self._call("insert", "insert", name, rows)

    def flush(self, name: str) -> None:
        """Wait until what was inserted is on disk and indexed, and load the collection for searching."""
        self._call("flush", "flush", name)
        self._call("load", "load_collection", name)

    @property
    def weighs_by_segment(self) -> bool:
        """Whether BM25 counts words within each segment: in milvus-lite, words of a few new passages weigh little."""
        return not self._remote

    def rows(self, alias: str, settings: IndexSettings) -> Iterator[list[dict[str, Any]]]:
        """Yield every entry as it was inserted, in batches."""
        fields = ["key", "document", "passage"]
        fields += ["text"] if "bm25" in settings.parts else []
        fields += [FIELDS[part] for part in settings.parts if part != "bm25"]
        cursor = self._call(
            "read", "query_iterator", alias, batch_size=500, output_fields=fields, consistency_level="Strong"
        )
        try:
            while batch := cursor.next():
                yield [{field: row[field] for field in fields} for row in batch]
        finally:
            cursor.close()

    def publish(self, name: str, alias: str) -> None:
        """Let the alias point at a collection, in one step, and drop the one it pointed at before.

        A file belongs to one process, so there what builds that were killed have left is dropped too.
        """
        old = None
        if self._client.has_collection(alias):
            old = self._call("describe an alias", "describe_alias", alias).get("collection_name")
            self._call("move an alias", "alter_alias", name, alias)
        else:
            self._call("create an alias", "create_alias", name, alias)
        if old and old != name:
            self.drop(old)
        if not self._remote:
            left = re.compile(rf"{re.escape(alias)}_[0-9a-f]{{8}}")
            for other in self._call("list its collections", "list_collections"):
                if other != name and left.fullmatch(other):
                    self.drop(other)

    def drop(self, name: str) -> None:
        """Drop a collection if it is there."""
        if self._client.has_collection(name):
            self._call("drop a collection", "drop_collection", name)

    def require(self, alias: str) -> None:
        """Raise ``UserError`` if there is no such collection."""
        if not self._client.has_collection(alias):
            raise UserError(f"Milvus at {self._uri} has no collection '{alias}'; build the index with `rac index`")
        self._call("load", "load_collection", alias)

    def search(self, alias: str, part: str, data: list[Any], limit: int) -> list[list[Record]]:
        """Search one part; the score of BM25 is taken without its sign, which milvus-lite turns round."""
        found = self._call(
            "search", "search", alias, data=data, anns_field=FIELDS[part], limit=limit, output_fields=["passage"],
            consistency_level="Strong",
        )  # fmt: skip
        results = []
        for hits in found:
            records = [(hit["entity"]["passage"], float(hit["distance"])) for hit in hits]
            if part == "bm25":
                records = [(passage, abs(score)) for passage, score in records]
            results.append([(passage, score) for passage, score in records if score > 0])
        return results

    def hybrid(
        self, alias: str, requests: Mapping[str, list[Any]], limit: int, settings: IndexSettings
    ) -> list[list[Record]]:
        """Search all parts and fuse them in the engine, by ranks or by weighted scores."""
        from pymilvus import AnnSearchRequest, RRFRanker, WeightedRanker

        depth = max(limit, settings.fusion_depth)
        asked = [
            AnnSearchRequest(data=data, anns_field=FIELDS[part], param={}, limit=depth)
            for part, data in requests.items()
        ]
        if settings.fusion == "rrf":
            ranker = RRFRanker(settings.rrf_k)
        else:
            weights = [settings.weights.get(part, 1.0) for part in settings.parts]
            ranker = WeightedRanker(*(weight / sum(weights) for weight in weights))
        found = self._call(
            "search", "hybrid_search", alias, reqs=asked, ranker=ranker, limit=limit, output_fields=["passage"],
            consistency_level="Strong",
        )  # fmt: skip
        return [[(hit["entity"]["passage"], float(hit["distance"])) for hit in hits] for hits in found]

    def known(self, alias: str, documents: Sequence[str]) -> set[str]:
        """Return those of the document keys that are in the collection."""
        found: set[str] = set()
        for start in range(0, len(documents), 500):
            chunk = documents[start : start + 500]
            rows = self._call(
                "query", "query", alias, filter=_among("key", [f"{document}:0" for document in chunk]),
                output_fields=["document"], consistency_level="Strong",
            )  # fmt: skip
            found.update(row["document"] for row in rows)
        return found

    def vectors(self, alias: str, keys: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of entries, [n, dimensions], in the order of the keys."""
        rows = self._call(
            "query", "query", alias, filter=_among("key", keys), output_fields=["key", FIELDS["dense"]],
            consistency_level="Strong",
        )  # fmt: skip
        by_key = {row["key"]: row[FIELDS["dense"]] for row in rows}
        return np.asarray([by_key[key] for key in keys], np.float32)

    def delete(self, alias: str, documents: Sequence[str]) -> None:
        """Delete all entries of documents."""
        for start in range(0, len(documents), 500):
            self._call("delete", "delete", alias, filter=_among("document", documents[start : start + 500]))

    def count(self, alias: str) -> int:
        """Return the number of entries."""
        rows = self._call("count", "query", alias, filter="", output_fields=["count(*)"], consistency_level="Strong")
        return int(rows[0]["count(*)"])

    def count_documents(self, alias: str, one_each: bool) -> int:
        """Return the number of passages: each has an entry numbered 0."""
        if one_each:
            return self.count(alias)
        rows = self._call(
            "count", "query", alias, filter='key like "%:0"', output_fields=["count(*)"], consistency_level="Strong"
        )
        return int(rows[0]["count(*)"])

    def version(self) -> str:
        """Return the version of the server, ``milvus-lite`` for a file."""
        return str(self._call("tell its version", "get_server_version")) if self._remote else "milvus-lite"

    def bytes_on_disk(self) -> int | None:
        """Return the size of the file's directory; None for a server, which does not say."""
        if self._remote:
            return None
        return sum(file.stat().st_size for file in Path(self._uri).rglob("*") if file.is_file())


def _among(field: str, values: Sequence[str]) -> str:
    """Return a filter expression; the values are hexadecimal, so nothing in them can change its meaning."""
    quoted = ", ".join(f'"{value}"' for value in values)
    return f"{field} in [{quoted}]"
