"""Forecast beyond the end of a run's data: `python -m pipeline.forecast run=best steps=24`."""

if __name__ == "__main__":
    from pipeline.command.forecast import main

    main()
