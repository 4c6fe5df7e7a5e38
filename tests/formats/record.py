"""Records what the code that there is now writes, in the next folder: `python -m tests.formats.record`."""

from __future__ import annotations

from tests.formats.corpus import FOLDER, record, recordings


def main() -> None:
    number = max(map(int, recordings()), default=0) + 1
    record().write(FOLDER / str(number))


if __name__ == "__main__":
    main()
