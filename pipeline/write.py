"""Let a network write: `python -m pipeline.write run=best prime="ROMEO:"`."""

if __name__ == "__main__":
    from pipeline.command.write import main

    main()
