"""Forecasts over HTTP: `python -m pipeline.serve run=champion port=8080`."""

if __name__ == "__main__":
    from pipeline.command.serve import main

    main()
