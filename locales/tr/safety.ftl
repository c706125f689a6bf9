### Resimlerin güvenlik denetimi ve modelin ürettiği yüzlere konan işaret.

safety-upload = Bu resimle çalışmayayım: Güvenlik denetimime göre, başkalarının da gördüğü bir sohbete uygun olmayabilir. Denetim zararsız resimlerde de zaman zaman yanılır; sade bir portre genellikle geçer. Başka bir fotoğraf dener misin?
safety-output = Ortaya çıkan resim, başkalarının da gördüğü bir sohbete uygun olmayabilir; bu yüzden göstermiyorum. Kabahat sende değil, modelde. Başka ayarlarla ya da başka bir fotoğrafla yeniden dene.
safety-unavailable = Şu anda resimleri denetleyemiyorum; denetim olmadan ne insan fotoğrafı alıyorum ne de ürettiğim yüzleri gösteriyorum. Nedeni, beni çalıştıran kişinin günlüğünde yazıyor.

# --- resmin köşesine yazılanlar: kısa, telefonda da okunaklı
mark-generated = Yapay zekâ ürünü · Tadım
mark-edited = Yapay zekâyla düzenlendi · Tadım
mark-short = YZ · Tadım

# --- tadim doctor
doctor-safety = Resim denetimi
doctor-safety-on = açık; geri çevirme eşiği: { $threshold }
doctor-safety-off = kapalı; yüz resimleri denetlenmeden alınıp gösteriliyor
doctor-safety-next = Başkalarının da gördüğü yerlerde safety.enabled ayarını true yap.
