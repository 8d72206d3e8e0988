"""One module per real server: where its binary is found, how its data is made, how it is started."""
