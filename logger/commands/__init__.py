"""What `python -m logger` does for people and scripts; logger/cli.py reads the command line."""
