"""Train a run's recipe again on all rows that there are now: `python -m pipeline.refit run=champion`."""

if __name__ == "__main__":
    import sys

    from pipeline.command.refit import main

    sys.exit(main())
