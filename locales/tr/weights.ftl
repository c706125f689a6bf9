### Model ağırlıklarıyla ilgili sözler: neden gelemedikleri, `tadim pull`, `tadim doctor`.

# --- ağırlıklar neden gelemedi
error-weights-unknown = “{ $name }” adında bir ağırlık dosyası yok.
error-weights-unpinned = “{ $name }” dosyasının özeti (SHA-256) bilinmiyor; doğrulayamayacağım bir dosyayı indirmem. Özetini config.toml içindeki [weights.pins] bölümüne yaz.
error-weights-no-network = “{ $name }” ağırlıklarının indirilmesi gerekiyor ama hiçbir sunucu yanıt vermiyor. Ağ bağlantısını denetleyip yeniden dene.
error-weights-gone = “{ $name }” ağırlıkları artık bulunmaları gereken yerde değil. Lütfen Tadım’ı çalıştıran kişiye haber ver.
error-weights-wrong-hash = “{ $name }” için gelen dosya beklediğim dosya değildi; sildim. Lütfen Tadım’ı çalıştıran kişiye haber ver.
error-weights-no-space = “{ $name }” ağırlıklarına yer yok: diskte { $megabytes } MB boş alan gerekiyor.
error-weights-disk = Ağırlıkların klasörü kullanılamıyor; “{ $name }” kaydedilemedi. Lütfen Tadım’ı çalıştıran kişiye haber ver.
error-weights-cancelled = “{ $name }” indirmesi iptal edildi. Bir sonraki indirme kaldığı yerden sürer.

# --- tadim pull
pull-done = { $name } hazır: { $path }
pull-present = { $name } zaten buradaydı: { $path }
pull-verifying = denetleniyor: { $name }
pull-damaged = Bozuk dosya silindi, yeniden indiriliyor: { $name }.
pull-known = Belki de şunu arıyorsun: { $names }.
pull-interrupted = Durduruldu. Bir sonraki indirme kaldığı yerden sürer.
pull-hub = İlk kullanımda kendi kütüphanesi tarafından model deposundan indirilecek: { $models }.

# --- tadim doctor
doctor-looking = Denetliyorum…
doctor-good = Tadım’ın gereksindiği her şey yerinde.
doctor-bad = Eksikler var; ne yapılacağı okların yanında yazıyor.
doctor-absent = kurulu değil
doctor-python-next = Python kur; gereken en eski sürüm: { $version }.
doctor-package-next = “uv sync” komutunu çalıştır.
doctor-engine = İşçi süreçler
doctor-engine-process = bu makinede; her iş türü için { $workers ->
    [0] aygıt başına bir tane
   *[other] { $workers } tane
}
doctor-engine-ray = Ray { $version }, kümenin adresi: { $address }
doctor-engine-ray-here = Ray { $version }, yalnızca bu makinede; inference.ray_address ayarı bir küme gösterebilir
doctor-engine-absent = inference.engine ayarı Ray istiyor, ama Ray kurulu değil
doctor-engine-next = “uv sync --extra ray” komutunu çalıştır ya da inference.engine ayarını "process" yap.
doctor-device = Aygıt
doctor-device-broken = torch başlatılamıyor: { $reason }
doctor-device-other = inference.device ayarının istediği aygıt: { $wanted }; torch’un bulduğu: { $found }.
doctor-device-next = inference.device ayarını "auto" yap ya da aygıtın sürücüsünü kur.
doctor-device-unseen = Sürücünün gösterdiği NVIDIA GPU sayısı { $count }, torch’un kullanabildiği { $found }.
doctor-device-unseen-next = torch’un sürücüye uyan derlemesini kur (pytorch.org/get-started).
doctor-budget = Model belleği
doctor-budget-chosen = her aygıta uygun düşen kadar
doctor-budget-set = her aygıtta { $gigabytes } GB
doctor-budget-next = inference.memory_megabytes ayarını yükselt ya da 0 yap.
doctor-memory = Bellek
doctor-memory-found = { $gigabytes } GB, { $cores } çekirdek
doctor-folder = Veri klasörü
doctor-folder-open = { $folder }, { $gigabytes } GB boş
doctor-folder-closed = { $folder } yazılabilir değil: { $reason }
doctor-folder-next = config.toml içindeki data_folder ayarına yazabildiğin bir klasör ver.
doctor-weights = Ağırlıklar
doctor-weights-here = burada, { $megabytes } MB, lisans: { $licence }
doctor-weights-missing = henüz burada değil ({ $megabytes } MB); ilk kullanımda indirilir, ilk kullanan biraz bekler
doctor-weights-damaged = dosya bozulmuştu, sildim
doctor-pins-next = config.toml içindeki [weights.pins] bölümünü düzelt.
doctor-space = Disk
doctor-space-short = Boş alan yetersiz: eksik ağırlıklar ve veritabanı için { $megabytes } MB gerekiyor.
doctor-space-next = Yer aç ya da config.toml içindeki weights.folder ayarıyla başka bir disk seç.
doctor-token-none = tanımlı değil; bu platform kapalı kalır
doctor-token-good = doğru görünüyor
doctor-token-bad = tanımlı ama erişim anahtarına (token) benzemiyor
doctor-discord-next = Botun erişim anahtarını (token) yeniden kopyala: Discord Developer Portal, uygulaman, “Bot”, “Reset Token”.
doctor-discord-invite = Botu bir sunucuya davet et: { $url }
doctor-telegram-next = Erişim anahtarını (token) yeniden kopyala: @BotFather’a /mybots yaz, botu seç, “API Token”.
doctor-telegram-botfather = Telegram’da @BotFather’a /mybots yaz, botu ve “Bot Settings” düğmesini seç: “Allow Groups?” da “Group Privacy” de açık olmalı; yeni bir botta öyledir. “Edit Commands” düğmesine dokunma; menüleri Tadım kendisi yazar.
doctor-telegram-updates = Telegram güncellemeleri
doctor-telegram-polling = Tadım kendisi sorar (polling); dışarıdan erişim gerekmez
doctor-telegram-webhook = webhook; ters vekil sunucun { $address } adresine gelenleri Tadım’ın web sunucusuna iletmeli: bağlantı noktası { $port }, yol /telegram/…
doctor-telegram-port = telegram.webhook tanımlı ama web.port 0: Her başlangıçta bağlantı noktası değişir, vekil sunucu bunu bilemez.
doctor-telegram-port-next = config.toml içindeki web.port ayarına bir sayı yaz, örneğin 8420.
doctor-frontends = Platformlar
doctor-frontends-none = Discord, Telegram ve web; üçü de kapalı.
doctor-frontends-next = DISCORD_TOKEN ya da TELEGRAM_TOKEN tanımla veya config.toml içinde web.enabled = true yap.
