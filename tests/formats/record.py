"""Records what the code that there is now writes, in a new folder: `python -m tests.formats.record`."""

from __future__ import annotations

from tests.formats.corpus import FOLDER, record, recordings


def main() -> None:
    number = max(map(int, recordings()), default=0) + 1
    record().write(FOLDER / str(number))
    print(f"recorded tests/formats/{number}")


if __name__ == "__main__":
    main()
