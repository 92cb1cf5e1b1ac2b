"""`python -m control_plane_simulator`."""

from control_plane_simulator.cli import main

if __name__ == "__main__":
    main()
