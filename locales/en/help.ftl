help = help
    .description = All commands, stop by stop; or how to use one of them
    .command = command
    .command-description = The command you want to know about; leave it out to see all

help-intro = The Deep Learning Tasting Tour: type a command, or send a picture first and pick one.
help-stop =
    { $stop }
    { $commands }
help-stop-what-is = What is deep learning?
help-stop-language = Natural language processing
help-stop-vision = Computer vision
help-stop-generative = Generative models
help-stop-house = General commands
help-line = /{ $command }: { $description }
help-source = Free software under the AGPL-3.0. Source: { $source }
help-source-unnamed = Free software under the AGPL-3.0. Ask whoever runs me for the source.
help-source-button = Source code

help-parameters =
    Settings:
    { $parameters }
help-parameter = • { $name }: { $description } ({ $kind }; { $otherwise })
help-kind-text = text of up to { $longest } characters
help-kind-integer = a whole number
help-kind-integer-range = a whole number from { $low } to { $high }
help-kind-number = a number
help-kind-number-range = a number from { $low } to { $high }
help-kind-boolean = yes or no
help-kind-choice = one of: { $options }
help-kind-picture = a picture
help-required = required
help-optional = may be left out
help-default = otherwise { $value }
help-yes = yes
help-no = no

help-example = detect
help-example-line = Example: { $example }
help-example-text = Once upon a time
help-example-picture = (and a picture)
