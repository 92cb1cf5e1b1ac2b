"""`python -m drive_simulator`."""

from drive_simulator.server.cli import main

if __name__ == "__main__":
    main()
