queue = queue
    .description = What you have under way, and how long it still takes

queue-nothing = You have nothing under way.
queue-own =
    You have under way:
    { $runs }
queue-run-waiting = • /{ $command }: number { $position } in the queue
queue-run-waiting-eta = • /{ $command }: number { $position } in the queue, done in about { $duration }
queue-run-loading = • /{ $command }: the model { $model } is getting ready
queue-run-progress = • /{ $command }: at work, { NUMBER($fraction, style: "percent") } done
queue-run-working = • /{ $command }: at work
queue-seconds = { $seconds ->
    [one] a second
   *[other] { $seconds } seconds
}
queue-minutes = { $minutes ->
    [one] a minute
   *[other] { $minutes } minutes
}
queue-total = { $waiting ->
    [0] Nobody is waiting for a model.
    [one] One job is waiting for a model in all.
   *[other] { $waiting } jobs are waiting for a model in all.
}
queue-cancel = Cancel /{ $command }
