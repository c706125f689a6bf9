cancel = cancel
    .description = Stop what you have under way
    .run = run
    .run-description = The number of one run, as /queue and the buttons know it; leave it out to stop all

cancel-command = /{ $command }
cancel-done = { $count ->
    [one] Cancelled: { $commands }.
   *[other] Cancelled { $count } runs: { $commands }.
}
cancel-nothing = You have nothing under way that I could cancel.
cancel-over = It is over already; there is nothing left to cancel.
cancel-not-yours = Somebody else started this, so only they can cancel it.
