cancel = cancel
    .description = Stop what you have under way
    .run = run
    .run-description = Which run; the buttons fill it in. Leave it out to stop all of yours

cancel-command = /{ $command }
cancel-done = { $count ->
    [one] Cancelled: { $commands }.
   *[other] Cancelled { $count } runs: { $commands }.
}
cancel-nothing = You have nothing under way that I could cancel.
cancel-over = It is over already; there is nothing left to cancel.
cancel-not-yours = Somebody else started this; only they or a moderator can cancel it.
cancel-not-yours-but = { $name } started this; only they or a moderator can cancel it.
