"""Driver and functional model of the Postern mailbox; standard library only."""
