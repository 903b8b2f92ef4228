"""Compare runs that are in MLflow: `python -m pipeline.compare sweep=latest by=[look_back,stateful]`."""

if __name__ == "__main__":
    import sys

    from pipeline.command.compare import main

    sys.exit(main())
