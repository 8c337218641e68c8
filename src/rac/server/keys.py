"""API keys: random, shown once, stored as hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping


def new_key() -> tuple[str, str]:
    """Return a new key and what is stored of it.

    A key has 256 random bits, so a plain SHA-256 of it cannot be reversed by guessing.
    """
    key = "rac_" + secrets.token_urlsafe(32)
    return key, hash_key(key)


def hash_key(key: str) -> str:
    """Return what is stored of a key."""
    return "sha256:" + hashlib.sha256(key.encode("utf-8", errors="surrogateescape")).hexdigest()


class KeyRing:
    """The keys that open the service.

    Args:
        hashes: Name -> stored hash.
    """

    def __init__(self, hashes: Mapping[str, str]) -> None:
        self._hashes = dict(hashes)

    def __bool__(self) -> bool:
        return bool(self._hashes)

    def owner(self, offered: str) -> str | None:
        """Return whose key it is, None if nobody's. The time taken does not depend on how alike a key is."""
        digest = hash_key(offered)
        found = None
        for name, stored in self._hashes.items():
            if hmac.compare_digest(digest, stored):
                found = name
        return found
