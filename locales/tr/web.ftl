### Web sayfası. Sayfanın kendi içinde { $name } gibi yerleri tarayıcı doldurur.

web-title = Tadım: Derin Öğrenme Tadım Turu
web-name = Tadım
web-tagline = Derin Öğrenme Tadım Turu
web-description = Derin öğrenmeyi sohbet ederek tat: Bir fotoğraf bırak, sinir ağının onda ne gördüğüne bak.
web-language-name = Türkçe
web-noscript = Bu sayfa JavaScript ile çalışır. JavaScript’i aç, sonra sayfayı yenile.
web-arrive = Bir saniye…

# --- sohbetin çevresi
web-skip = Mesaj kutusuna geç
web-tour = Tur
web-language = Dil
web-theme-system = Renkler: sistemdeki gibi
web-theme-light = Renkler: açık
web-theme-dark = Renkler: koyu
web-clear = Sohbeti temizle
web-clear-ask = Bu sohbet ve içindeki resimler silinsin mi? Süren işler de durur.
web-clear-yes = Sil
web-clear-no = Vazgeç
web-source = Kaynak kodu (AGPL-3.0)
web-log = Sohbet
web-you = Sen
web-newest = En yeni mesaj

# --- ilk ekran
web-welcome = Derin öğrenmenin tadına bak.
web-welcome-lead = Bir fotoğraf bırak, sinir ağının onda ne gördüğüne bak; ya da / yazıp turdan bir durak seç.
web-welcome-choose = Fotoğraf seç
web-welcome-or = ya da sayfanın herhangi bir yerine sürükleyip bırak veya yapıştır
web-welcome-sample = Örnek fotoğrafla dene
web-welcome-stops = Ya da buradan başla
web-welcome-privacy = Resimlerin yalnızca bellekte tutulur ve en geç { $minutes } dakika sonra silinir.

# --- mesaj kutusu
web-message = Mesaj
web-placeholder = Komutlar için / yaz ya da fotoğraf bırak
web-placeholder-text = Bir şey yaz; komutlar için / yaz
web-placeholder-value = Buraya yaz: { $name }
web-send = Gönder
web-attach = Resim ekle
web-commands = Komutlar
web-palette-none = Böyle bir komut yok.
web-palette-keys = ↑ ↓ gezinir, Enter seçer, Esc kapatır
web-usage = Ayarlar: { $value }
web-text-offer = Enter’a basınca şuraya gider:
web-picture-offer = Bu resimle ne yapayım?
web-run = Çalıştır
web-close = Kapat
web-optional = isteğe bağlı
web-range = { $low } ile { $high } arası
web-yes = evet
web-no = hayır
web-form-picture = Resim seç, bırak ya da yapıştır
web-picture-attached = Eklenen resim
web-picture-remove = Resmi kaldır
web-picture-choose = Resim seç
web-uploading = Resim gönderiliyor…
web-drop = Bırak, gerisi bende.

# --- cevaplar
web-ask-value = /{ $command } için “{ $parameter }” gerekiyor. Buraya yaz.
web-working = Çalışıyor…
web-stop = Durdur
web-progress = İlerleme
web-copy = Kopyala
web-copied = Kopyalandı
web-data = Ham sonuç (JSON)
web-enlarge = Büyüt: { $name }
web-download = İndir
web-play = Animasyonu oynat
web-pause = Animasyonu duraklat
web-zoom = Büyütülmüş resim
web-zoom-in = Yakınlaştır
web-zoom-out = Uzaklaştır
web-zoom-fit = Resmin tamamı
web-picture-gone = Bu resim artık burada değil.
web-picture-unseen = Bu dosya gösterilemiyor.
web-lost-answer = Program yeniden başlatıldı ve bu cevap kayboldu. Yeniden sor.

# --- bağlantı
web-connection-lost = Bağlantı koptu. Yeniden deniyorum…
web-connection-retry = Şimdi dene
web-connection-back = Yeniden bağlandık.
web-connection-wait = Şu an bağlantı yok. Yazdığın duruyor; birazdan yeniden gönder.

# --- sayfanın kendisinin geri çevirdikleri
web-not-a-picture = “{ $name }” bir resim değil. JPEG, PNG ya da WebP seç.
web-too-large = “{ $name }” { $megabytes } MB sınırını aşıyor. Daha küçük bir resim seç.
web-too-many = Bir seferde en çok { $count } resim alabiliyorum; ilklerini aldım.
web-text-too-long = Bu çok uzun: en çok { $count } karakter olabilir. Lütfen kısalt.
web-upload-failed = Resim bana ulaşmadı. Yeniden dene.
web-needs-picture = Önce bir resim ekle.
web-needs-value = “{ $name }” boş kalmasın.

# --- sunucunun geri çevirdikleri
web-error-garbled = Bu mesajı okuyamadım. Sayfayı yenileyip tekrar dene.
web-error-message-too-long = Bu çok uzun: en çok { NUMBER($longest) } karakter olabilir. Lütfen kısalt.
web-error-too-fast = Çok hızlı gidiyorsun. Kısa bir süre bekleyip yeniden dene.
web-error-busy = Şu anda hazırlanan { $running } cevap var. Birinin bitmesini bekle ya da birini durdur.
web-error-question-gone = O soru kapandı. Komutu yeniden yaz.
web-error-upload = Resmi alamadım. Yeniden dene.
web-error-upload-slow = Resim zamanında gelmedi. Yeniden dene ya da daha küçüğünü gönder.

# --- giriş
web-sign-in = Giriş
web-sign-in-lead = Bu turu çalıştıran kişi erişim anahtarı istiyor. Anahtarı ondan alabilirsin.
web-sign-in-token = Erişim anahtarı
web-sign-in-wrong = Erişim anahtarı bu değil. Bakıp yeniden dene.
web-sign-in-wait = Çok fazla yanlış deneme oldu. Bir dakika bekleyip yeniden dene.
