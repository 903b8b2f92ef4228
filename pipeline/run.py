"""Train one configuration, or every configuration of a sweep: `python -m pipeline.run -m look_back=1,3,6`."""

from pipeline.command.run import main

__all__ = ["main"]  # the console script lstm-pipeline starts it

if __name__ == "__main__":
    main()
