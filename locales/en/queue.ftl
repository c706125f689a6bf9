queue = queue
    .description = What you have under way, how long it still takes, and how busy I am

queue-nothing = You have nothing under way.
queue-own =
    You have under way:
    { $runs }
queue-run-waiting = • /{ $command }: number { $position } in the queue
queue-run-waiting-eta = • /{ $command }: number { $position } in the queue, done in about { $duration }
queue-run-loading = • /{ $command }: the model { $model } is getting ready
queue-run-progress = • /{ $command }: at work, { NUMBER($fraction, style: "percent") } done
queue-run-working = • /{ $command }: at work
queue-cancel = Cancel /{ $command }

# --- what others have under way, for moderators
queue-others =
    Others have under way:
    { $runs }
queue-whose = { $command } ({ $name })
queue-more = { $count ->
    [one] • and one more
   *[other] • and { $count } more
}

# --- what the machine is doing
queue-idle = Nothing is at work and nobody is waiting.
queue-state =
    How things stand:
    { $facts }
queue-working = • at work: { $commands }
queue-count = { $count } × /{ $command }
queue-waiting = { $waiting ->
    [0] • waiting: nobody
    [one] • waiting: one job
   *[other] { $people ->
        [0] • waiting: { $waiting } jobs
        [one] • waiting: { $waiting } jobs of one person
       *[other] • waiting: { $waiting } jobs of { $people } people
    }
}
queue-new = • a new job: done in about { $duration }
queue-loading = • getting ready: { $models }
queue-room-compute = pictures and experiments
queue-room-text = text
queue-room-starting = • { $room }: starting up; jobs wait meanwhile
queue-room-partly = • { $room }: { $ready } of { $devices } devices ready, the others are starting up
