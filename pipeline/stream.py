"""Forecast as data arrive: `python -m pipeline.stream run=best < rows.csv`."""

if __name__ == "__main__":
    from pipeline.command.stream import main

    main()
