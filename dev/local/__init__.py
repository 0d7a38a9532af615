"""The runner: real parts on one machine, the suite as processes, and every verb of `./run`."""
