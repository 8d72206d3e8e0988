"""The console: one page that presses every door of the system and shows what happened. It knows the broker and nothing else."""
