"""Hooks of pre-commit that no tool of ours has: large files, secrets, paths of a machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path

LARGEST = 1_500_000  # bytes; larger results belong elsewhere
FORBIDDEN = {".jpg", ".jpeg", ".mat", ".pth", ".pt", ".pkl", ".npy", ".zip", ".tar", ".onnx"}
GREW_LARGE = {  # asked for beside their results
    f"outputs/reference/{recipe}/predictions-age.parquet" for recipe in ("laptop", "trunk")
}
SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    r"|\bsk-[A-Za-z0-9]{20}|(?i:(?:password|secret|api[_-]?key)\s*[:=]\s*['\"][^'\"\s]{8,}['\"])"
    r"|/home/[a-z][\w-]*/|/Users/[a-z][\w-]*/"
)


def large(path: Path) -> str:
    """Why a file must not be committed, or nothing."""
    if path.suffix.lower() in FORBIDDEN:
        return "photographs, weights and archives stay outside of the repository"
    if path.stat().st_size > LARGEST and path.as_posix() not in GREW_LARGE:
        return f"larger than {LARGEST:,} bytes"
    return ""


def secrets(path: Path) -> str:
    """What a file gives away, or nothing."""
    found = SECRETS.search(path.read_text(encoding="utf-8", errors="replace"))
    return f"looks like a secret or a path of one machine: {found[0][:20]}..." if found else ""


def main(check: str, names: list[str]) -> int:
    """Print what ``check`` finds in the files; 1 if it finds anything."""
    checks = {"large": large, "secrets": secrets}
    found = {name: checks[check](Path(name)) for name in names if Path(name).is_file()}
    for name, why in found.items():
        if why:
            print(f"{name}: {why}")
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
