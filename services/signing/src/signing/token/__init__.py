"""The token: its PINs, one life of the PKCS#11 module, and the one door through which everything is signed."""
