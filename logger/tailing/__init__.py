"""The live tail: what was there, then what is stored from then on."""
