how = how
    .description = The idea behind a command in three sentences, and its paper
    .command = command
    .command-description = The command whose idea you want to know
how-example = gpt

how-nothing = There is no idea from the talk behind /{ $command }; /help tells how to use it.
