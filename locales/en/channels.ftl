channels = channels
    .description = Choose in which of this server's channels I answer (for moderators)
    .action = action
    .action-description = What to do with this channel; leave it out to see the list
channels-action-show = show
channels-action-allow = allow
channels-action-remove = remove
channels-action-everywhere = everywhere

channels-name = #{ $name }
channels-line = • { $channel }
channels-more = { $count ->
    [one] one more
   *[other] { $count } more
}
channels-command = /{ $command }
channels-everywhere = I answer in every channel of this server.
channels-list =
    I answer in these channels only:
    { $channels }
channels-always = Threads belong to the channel that they hang on. Whatever the list says, these work everywhere: { $commands }.

channels-allowed = { $channel } is on the list.
channels-removed = { $channel } is off the list; I no longer answer here.
channels-removed-last = { $channel } was the last channel on the list. Without a list there are no limits.

channels-button-only = Answer only in { $channel }
channels-button-also = Answer in { $channel }, too
channels-button-remove = No longer answer in { $channel }
channels-button-everywhere = Answer everywhere

channels-none-here = This is for servers with channels. Here I always answer.
channels-not-yours = Where I answer is chosen by those who look after this server.
channels-no-list = There is no list yet: I answer in every channel. First allow those in which I shall answer.
channels-not-listed = { $channel } is not on the list; I do not answer here as it is.
channels-too-many = There are { $most } channels on the list already, and no more fit. To have me in all of them, drop the list.
