### Hiçbir komuta özgü olmayan sözler.

# --- yoldaki cevap
queued = Kuyrukta { $position }. sıradasın.
queued-eta = { $position ->
    [one] Sıra sende. Yaklaşık { $duration } kaldı.
   *[other] Kuyrukta { $position }. sıradasın. Yaklaşık { $duration } kaldı.
}
downloading = Model indiriliyor: { $model } ({ $megabytes } MB). Bu yalnızca bir kez olur.
loading = Model uyandırılıyor: { $model }.
working = Model çalışıyor: { $model }.
working-on = Çalışma sürüyor.
cancelled = İptal edildi.
cancelled-by-moderator = Bunu bir moderatör iptal etti.
album-progress = { $total } resimden { $done } tanesi bitti.
album-picture = { $number }. { $text }

# --- ne kadar; “yaklaşık” sözünden sonra
duration-seconds = { $seconds } saniye
duration-minutes = { $minutes } dakika
duration-hours = { $hours } saat
try-again = Biraz sonra yeniden dene.
try-again-eta = Yaklaşık { $duration } sonra yeniden dene.

# --- cevabı kim verdi
credit = Model: { $model }
credit-stand-in = Model: { $model } ({ $original } yerine küçük bir vekil)

# --- her cevapta bulunabilen düğmeler
button-cancel = İptal
button-again = Tekrar dene
button-variation = Başka türlü
button-delete = Sil
button-how = Nasıl çalışıyor?
button-next = Sonraki durak: /{ $command }
button-paper = Makaleyi oku

# --- eksik olanı istemek
ask-picture = /{ $command } için bir resim gerekiyor. Gönderirsen kaldığımız yerden sürdürürüm.
ask-value = /{ $command } için “{ $parameter }” gerekiyor. Komutun ardından yaz.

# --- komutlar ve parametreleri
error-stopping = Yeniden başlatılıyorum. Bir dakika sonra yeniden dene.
error-stopped = Yeniden başlatıldığım için bu işi yarıda bırakmak zorunda kaldım. Bir dakika sonra yeniden dene.
error-not-a-command = Eğik çizgiyle başlayan bir komut yaz; hepsi /yardım içinde.
error-command-empty = Eğik çizgiden sonra bir komut yaz; hepsi /yardım içinde.
error-command-meant = /{ $typed } diye bir komut yok. Şunu mu demek istedin: /{ $command }?
error-command-unknown = /{ $typed } diye bir komut yok. Bütün komutlar için /yardım yaz.
error-parameter-unknown = Bu komutun “{ $name }” adlı bir ayarı yok.
error-text-unexpected = Burada “{ $text }” ile ne yapacağımı bilemedim. Ayarı adıyla yaz: ad:değer.
error-picture-expected = “{ $parameter }” bir resim olmalı.
error-text-expected = “{ $parameter }” bir metin olmalı.
error-text-empty = “{ $parameter }” boş. Oraya bir şey yaz.
error-text-too-long = “{ $parameter }” { $length } karakter uzunluğunda; en çok { $longest } karakter sığıyor. Lütfen kısalt.
error-text-invisible = “{ $parameter }” görünmez denetim karakterleri içeriyor. Metni yeniden yaz ya da bunları sil.
error-number-expected = “{ $parameter }” bir sayı olmalı; örneğin 0,5.
error-number-whole = “{ $parameter }” bir tam sayı olmalı; örneğin 3.
error-number-range = “{ $parameter }” en az { $low }, en çok { $high } olabilir.
error-boolean-expected = “{ $parameter }” için evet ya da hayır yaz.
error-choice-expected = “{ $parameter }” şunlardan biri olmalı: { $options }.

# --- resimler
error-picture-empty = Dosya boş. Resmi yeniden gönder.
error-picture-unknown = Bu, okuyabildiğim bir resim değil. JPEG, PNG ya da WebP gönder.
error-picture-svg = SVG piksellerden değil, çizim komutlarından oluşur. Resmi PNG ya da JPEG olarak gönder.
error-picture-pdf = Adı ne olursa olsun bu bir PDF. İstediğin sayfayı PNG ya da JPEG olarak gönder.
error-picture-heic = HEIC okuyamıyorum. Fotoğrafı JPEG olarak gönder (iPhone’da “En Uyumlu” seçeneğiyle paylaş).
error-picture-broken = Resim bozuk ya da eksik. Yeniden gönder ya da önce başka bir biçimde kaydet.
error-picture-too-many-pixels = Resim çok büyük: en çok { $megapixels } megapiksel ve kenar başına 20.000 piksel olabilir. Küçültüp yeniden gönder.
error-picture-too-small = Resim çok küçük: her kenarı en az 8 piksel olmalı.
error-picture-too-large = Dosya { $megabytes } MB sınırını aşıyor. Daha küçüğünü gönder.
error-picture-gone = O resim artık bende yok. Yeniden gönder.
note-picture-animated = Bu bir animasyon; ilk karesine baktım.
note-picture-turned = Resmi, kameranın yön bilgisine göre dik çevirdim.

# --- kuyruk ve modeller
error-queue-all = Kuyrukta { $waiting } iş bekliyor ve yer kalmadı. { $again }
error-queue-user = Bekleyen { $waiting } işin var; bir kişi en çok bu kadar iş bekletebilir. { $again } Hemen yer açmak istersen /iptal yaz.
error-queue-chat = Bu sohbetten ya da ağdan gelen { $waiting } iş zaten bekliyor; tek bir yerden en çok bu kadarını alıyorum. { $again }
error-queue-bytes = Cevap bekleyen resim ve metinler, onlara ayırdığım belleği doldurdu. { $again }
error-timeout = Bu iş { $seconds } saniyeden uzun sürünce durdurdum. Daha küçük bir şeyle dene.
error-model-unavailable = Model şu anda yüklenemiyor; nedeni, beni çalıştıran kişinin günlüğünde yazıyor.
error-model-too-large = { $model } modeli { $needed } GB bellek istiyor; aygıtta ona ayrılabilen bellek ise { $budget } GB. Beni çalıştıran kişi daha küçük bir model ya da belleği daha büyük bir aygıt seçebilir.
error-out-of-memory = Aygıtın belleği bu işe yetmedi. Daha küçük bir şeyle dene.
error-worker-lost = Model bu girdide iki kez çöktü. Başka bir girdiyle dene.
error-studio-lost = Bu resim çizilirken bir sorun çıktı. Başka bir resimle dene.
error-input-empty = Üzerinde çalışacak bir şey yok. Biraz metin gönder.
error-input-too-long = Bu, modelin okuyabileceğinden uzun. Lütfen kısalt.
error-unforeseen = Bir şeyler ters gitti; hata bizde. Bildirirsen şu numarayı da yaz: { $id }
error-id = Bildirirsen şu numarayı da yaz: { $id }

# --- düğmeler
error-button-not-yours = Bu düğme başkasının. Komutu yazarsan sana da bir tane gelir.
error-button-not-yours-but = Bu düğmenin sahibi: { $name }. Komutu yazarsan sana da bir tane gelir.
error-button-gone = Bu düğmeyi artık tanımıyorum. Komutu yeniden yaz.

# --- yerler
error-elsewhere = Bu kanalda cevap vermiyorum. Beni bulabileceğin yerler: { $channels }.
error-elsewhere-unseen = Bu kanalda cevap vermiyorum. Nerede cevap verdiğimi bir moderatöre sorabilirsin.

# --- numbers up to ten as words
number-in-words = { $number ->
    [1] bir
    [2] iki
    [3] üç
    [4] dört
    [5] beş
    [6] altı
    [7] yedi
    [8] sekiz
    [9] dokuz
    [10] on
   *[other] { $number }
}
