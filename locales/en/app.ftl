### What the program says in its own terminal.

serving = { $platform } is connected.
serving-at = { $platform }: { $address }
serving-stop = Drop a photo into that page. Stop with Ctrl+C.

interrupted = I was restarted while /{ $command } was at work, so its answer is lost.
interrupted-button = Start /{ $command } again
