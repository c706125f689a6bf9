### Words about model weights: why they cannot be had, `tadim pull`, `tadim doctor`.

# --- why weights cannot be had
error-weights-unknown = There are no weights called “{ $name }”.
error-weights-unpinned = Nobody has vouched for the file of “{ $name }”, so I will not fetch it. Put its SHA-256 under [weights.pins] in config.toml.
error-weights-no-network = The weights “{ $name }” have to be downloaded, but no download server answers. Check the network and try again.
error-weights-gone = The weights “{ $name }” are no longer where they are supposed to be. Please tell whoever runs Tadım.
error-weights-wrong-hash = What came for “{ $name }” was not the file that I expect, so I deleted it. Please tell whoever runs Tadım.
error-weights-no-space = There is no room for the weights “{ $name }”: they need { $megabytes } MB of free disk space.
error-weights-disk = The folder for the weights cannot be used, so I could not store “{ $name }”. Please tell whoever runs Tadım.
error-weights-cancelled = The download of “{ $name }” was cancelled. The next one goes on from there.

# --- tadim pull
pull-done = { $name } is here: { $path }
pull-present = { $name } was here already: { $path }
pull-verifying = checking { $name }
pull-damaged = The file of { $name } was damaged, so I deleted it; it is fetched again.
pull-known = Perhaps you mean: { $names }.
pull-interrupted = Stopped. The next pull goes on from here.
pull-hub = Fetched from the model hub by their own libraries on first use: { $models }.

# --- tadim doctor
doctor-looking = Checking…
doctor-good = Everything Tadım needs is here.
doctor-bad = Something is missing; the arrows say what to do.
doctor-absent = not installed
doctor-python-next = Install Python { $version } or newer.
doctor-package-next = Run “uv sync”.
doctor-engine = Workers
doctor-engine-process = processes on this machine; for each kind of work { $workers ->
    [0] one per device
    [one] one
   *[other] { $workers }
}
doctor-engine-ray = Ray { $version }, cluster at { $address }
doctor-engine-ray-here = Ray { $version }, on this machine alone; inference.ray_address can name a cluster
doctor-engine-absent = inference.engine asks for Ray, which is not installed
doctor-engine-next = Run “uv sync --extra ray”, or set inference.engine to "process".
doctor-device = Device
doctor-device-broken = torch does not start: { $reason }
doctor-device-other = The setting inference.device asks for { $wanted }; torch finds { $found }.
doctor-device-next = Set inference.device to "auto", or install the device's driver.
doctor-device-unseen = The driver shows { $count ->
    [one] one NVIDIA GPU
   *[other] { $count } NVIDIA GPUs
}, torch can use { $found }.
doctor-device-unseen-next = Install the build of torch that fits the driver (pytorch.org/get-started).
doctor-budget = Model memory
doctor-budget-chosen = as much as suits each device
doctor-budget-set = { $gigabytes } GB on each device
doctor-budget-next = Raise inference.memory_megabytes, or set it to 0.
doctor-memory = Memory
doctor-memory-found = { $gigabytes } GB, { $cores ->
    [one] one core
   *[other] { $cores } cores
}
doctor-folder = Data folder
doctor-folder-open = { $folder }, { $gigabytes } GB free
doctor-folder-closed = { $folder } cannot be written: { $reason }
doctor-folder-next = Set data_folder in config.toml to a folder that you may write.
doctor-weights = Weights
doctor-weights-here = here, { $megabytes } MB, licence: { $licence }
doctor-weights-missing = not here yet ({ $megabytes } MB); downloaded on first use, so the first to use it waits a little
doctor-weights-damaged = was damaged, so I deleted it
doctor-pins-next = Correct [weights.pins] in config.toml.
doctor-space = Disk
doctor-space-short = Too little space is free: the missing weights and the database need { $megabytes } MB.
doctor-space-next = Make room, or set weights.folder in config.toml to another disk.
doctor-token-none = not set; this platform stays off
doctor-token-good = looks right
doctor-token-bad = set, but it does not look like a token
doctor-discord-next = Copy the bot's token again: Discord Developer Portal, your application, “Bot”, “Reset Token”.
doctor-discord-invite = Invite the bot to a server: { $url }
doctor-telegram-next = Copy the token again: write /mybots to @BotFather, choose the bot, “API Token”.
doctor-telegram-botfather = In Telegram, write /mybots to @BotFather, choose the bot and “Bot Settings”: “Allow Groups?” and “Group Privacy” are both to be on, as they are for a new bot. Leave “Edit Commands” alone; Tadım writes the menus itself.
doctor-telegram-updates = Telegram updates
doctor-telegram-polling = polling; nothing has to be reachable from outside
doctor-telegram-webhook = webhook; your reverse proxy must lead { $address } to /telegram/… on port { $port } of Tadım's web server
doctor-telegram-port = telegram.webhook is set, but web.port is 0: another port at each start, which no proxy can know
doctor-telegram-port-next = Set web.port in config.toml to a number, for instance 8420.
doctor-frontends = Platforms
doctor-frontends-none = Neither Discord nor Telegram nor the web is switched on.
doctor-frontends-next = Set DISCORD_TOKEN or TELEGRAM_TOKEN, or web.enabled = true in config.toml.
