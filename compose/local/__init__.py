"""The local runner: real servers and all services of this repository on one machine, without Docker."""
