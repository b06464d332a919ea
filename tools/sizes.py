#!/usr/bin/env python3
"""Lists the release binaries and the sizes of their zips, largest first.

Fails if a zip exceeds ZIP_BYTES_MAX, or its own limit in LARGER: Lambda fetches and
unpacks the zip in a cold start, so its size adds to a customer's waiting time.
"""

import io
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
#: The promise in docs/promises.md: 4.0 MB.
ZIP_BYTES_MAX = 4_000_000
#: The limit of functions that set a password: they contain the dictionaries that its
#: strength is estimated with.
SETS_PASSWORD_BYTES_MAX = 4_300_000
LARGER = {
    name: SETS_PASSWORD_BYTES_MAX
    for name in ("register-user", "reset-password", "change-password")
}


def zipped(binary: Path) -> int:
    """The size of the zip of a binary, as SAM creates it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(binary, "bootstrap")
    return len(packed.getvalue())


def main() -> int:
    """Prints the table; returns 1 if a zip is too large."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target/lambda"
    binaries = sorted(folder.glob("*/bootstrap"))
    if not binaries:
        sys.exit(f"no binaries in {folder}: run `make build`")
    sizes = sorted(((zipped(path), path) for path in binaries), reverse=True)
    for size, path in sizes:
        print(f"{path.parent.name:<28} {path.stat().st_size / 1e6:6.2f} MB  zip {size / 1e6:5.2f} MB")
    too_large = []
    for size, path in sizes:
        limit = LARGER.get(path.parent.name, ZIP_BYTES_MAX)
        if size > limit:
            too_large.append(f"{path.parent.name} exceeds {limit / 1e6:.1f} MB")
    print(f"{len(sizes)} functions, {sum(size for size, _ in sizes) / 1e6:.1f} MB of zips")
    print("\n".join(too_large), end="\n" if too_large else "")
    return int(bool(too_large))


if __name__ == "__main__":
    sys.exit(main())
