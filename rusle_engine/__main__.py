"""``python -m rusle_engine`` is the ``rusle`` command."""

from rusle_engine.cli.app import main

if __name__ == "__main__":
    main()
