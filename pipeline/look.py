"""Step through what a network does while it reads: `python -m pipeline.look run=best`."""

if __name__ == "__main__":
    from pipeline.command.look import main

    main()
