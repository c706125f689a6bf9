channels = kanallar
    .description = Bu sunucunun hangi kanallarında cevap vereceğimi seç (moderatörler için)
    .action = işlem
    .action-description = Bu kanal için ne yapılacağı; yazmazsan listeyi gösteririm
channels-action-show = göster
channels-action-allow = izin-ver
channels-action-remove = kaldır
channels-action-everywhere = her-yerde

channels-name = #{ $name }
channels-line = • { $channel }
channels-more = { $count } kanal daha
channels-command = /{ $command }
channels-everywhere = Bu sunucunun her kanalında cevap veriyorum.
channels-list =
    Yalnızca şu kanallarda cevap veriyorum:
    { $channels }
channels-always = Alt başlıklar, bağlı oldukları kanaldan sayılır. Liste ne derse desin, şunlar her yerde çalışır: { $commands }.

channels-allowed = Listede: { $channel }
channels-removed = Listeden çıktı: { $channel }. Artık burada cevap vermeyeceğim.
channels-removed-last = Listedeki son kanal buydu: { $channel }. Liste olmayınca sınır da yok.

channels-button-only = Yalnızca burada: { $channel }
channels-button-also = Burada da: { $channel }
channels-button-remove = Artık burada değil: { $channel }
channels-button-everywhere = Her yerde cevap ver

channels-none-here = Bu, kanalları olan sunucular için. Burada zaten hep cevap veriyorum.
channels-not-yours = Nerede cevap vereceğimi bu sunucuyu yönetenler seçer.
channels-no-list = Henüz bir liste yok: her kanalda cevap veriyorum. Önce cevap vermemi istediğin kanallara izin ver.
channels-not-listed = Listede olmayan bir kanal: { $channel }. Burada zaten cevap vermiyorum.
channels-too-many = Listede { $most } kanal var, daha fazlası sığmıyor. Hepsinde cevap vermemi istersen listeyi kaldır.
