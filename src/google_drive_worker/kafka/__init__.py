"""Consumer, transactions and the state store on a real broker."""
