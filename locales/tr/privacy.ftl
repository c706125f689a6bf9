privacy = gizlilik
    .description = Hakkında neler sakladığımı gör, indir ya da sil
    .action = işlem
    .action-description = Ne yapılacağı; yazmazsan gösteririm
    .sure = eminim
    .sure-description = Silmek için gerekli: evet, eminsin
privacy-action-show = göster
privacy-action-export = indir
privacy-action-delete = sil

privacy-held =
    Hakkında sakladığım her şey:
    { $facts }
privacy-identity = • bu platformdaki kimliğin: { $user }
privacy-seen = • seni ilk gördüğüm gün ({ DATETIME($first, dateStyle: "long") }) ve son gördüğüm gün ({ DATETIME($last, dateStyle: "long") })
privacy-language = • seçtiğin dil: { $language }
privacy-no-language = • dil: henüz seçmedin
privacy-usage = { $count ->
    [0] • çalıştırdığın komut yok
   *[other] • çalıştırdığın { $count } komut: hangisi, ne zaman, hangi sohbette, ne kadar sürdüğü ve nasıl bittiği
}
privacy-buttons = { $count ->
    [0] • düğme yok
   *[other] • cevaplarımın altındaki { $count } düğme; yineledikleri ayarlar ve metinle birlikte
}
privacy-not-held = Ne resimlerini ne de cevaplarımı diske yazarım; yazdıklarından yalnızca bir düğmenin işi yineleyebilmesi için gerekeni tutarım.
privacy-pictures = Bir resim, yalnızca üzerinde çalıştığım sürece belleğimde durur; bir düğmeye yeniden gerekirse onu bu sohbetten alırım. Son sonuçlarımın birkaçı, yerlerini yenileri alana kadar, adın olmadan bellekte kalır.
privacy-pictures-web = Gönderdiğin resim ve verdiğim cevap, düğmeler yeniden kullanabilsin diye en çok { $minutes } dakika belleğimde durur. Son sonuçlarımın birkaçı, yerlerini yenileri alana kadar, adın olmadan orada kalır.
privacy-style = Fotoğrafındaki yüz için bulduğum üretilmiş yüzü { $minutes } dakika boyunca, bir sayı dizisi olarak ve yalnızca senin düğmelerin için bellekte tutarım.
privacy-faces = Resimlerinle hiçbir modeli eğitmem; bir yüzün kimin olduğunu bulmak için onu başkalarının yüzleriyle karşılaştırmam.
privacy-safety = Yüzlerle çalışan komutlarda, sohbete uygun olmayan resimleri kendi modelim arar. Resimlere insan bakmaz; modelin bulduğu da senin adınla kaydedilmez.
privacy-kept = Komutlar ve düğmeler { $days } gün sonra silinir. Seçtiğin dil, sen silinceye kadar saklanır.
privacy-export-button = Bir kopyasını ver
privacy-delete-button = Sil
privacy-exported = Hakkında sakladığım her şey bu dosyada.
privacy-sure = Hakkında sakladığım her şey geri dönüşü olmadan silinecek, eski cevaplarımın altındaki düğmeler de çalışmaz olacak. Emin misin?
privacy-delete-now = Evet, hepsini sil
privacy-keep = Hayır, kalsın
privacy-deleted = Tamam, hakkında sakladığım her şeyi sildim. Bundan sonra yaptıkların yeniden kaydedilir.
