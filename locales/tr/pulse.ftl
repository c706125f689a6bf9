### /pulse: pikselli bir yüze benzeyecek keskin yüzler. Yüz komutlarının ortak sözleri de burada.

pulse = pulse
    .description = Yüzü pikselleştirir, ona uyan keskin yüzler bulur; hiçbiri o kişi değil
    .picture = resim
    .picture-description = Yüz fotoğrafı; net de olabilir, zaten pikselli de
    .pixels = piksel
    .pixels-description = Yüzden bir kenarda kaç piksel kalsın, 16 ile 64 arası
    .seed = tohum
    .seed-description = Arama nereden başlasın; başka tohum başka yüzler bulur

pulse-searching = Küçülünce böyle görünecek yüzleri arıyorum: %{ $percent }
pulse-said = { $fitting ->
    [0] Sansür! Bu { $faces } yüzü, üreticinin içinde yapılan bir arama buldu. { $pixels } × { $pixels } piksele küçültülünce sol üstteki resme yaklaşıyorlar; ama makalenin istediği kadar değil. Başka bir resim ya da başka bir tohum daha iyi uyabilir.
   *[other] Sansür! Bu { $faces } yüzü, üreticinin içinde yapılan bir arama buldu. { $pixels } × { $pixels } piksele küçültülünce neredeyse sol üstteki resim gibi görünüyorlar.
}
pulse-not-the-person = Hiçbiri resimdeki kişi değil. Piksellerde olmayan ne varsa üretici uydurdu; uydururken de en çok gördüğüne benzetir. Bu yüzden birinin kim olduğu böyle anlaşılamaz: Kimseyi tanımak için kullanma.
pulse-settings = { $pixels } × { $pixels } piksel, tohum: { $seed }. Küçültülen yüzlerin resme uzaklığı (ortalama kare hata, renkler 0 ile 1 arası): en az { NUMBER($best, maximumSignificantDigits: 2) }, en çok { NUMBER($worst, maximumSignificantDigits: 2) }. Makaledeki { NUMBER($epsilon, maximumFractionDigits: 3) } sınırının içinde kalan: { $fitting }/{ $faces }.
pulse-pixels = { $pixels } piksel
pulse-alt = Üstte: yüzün { $pixels } × { $pixels } piksellik hali, bulunan keskin bir yüz ve onun aynı boya küçültülmüş hali. Altta: aşağı yukarı o kadar uyan üç yüz daha.

pulse-picture-input = { $pixels } × { $pixels } piksel
pulse-picture-found = bulunan
pulse-picture-small = bulunanın küçüğü
pulse-picture-other = bu da uyuyor

pulse-how = Küçük bir resim, sayısız büyük resmin küçültülmüşü olabilir. PULSE resmi keskinleştirmez; bir yüz üreticisinin gizli uzayında (latent space), küçültülünce o resme eşit olan bir yüz arar. Üreticinin hiçbir yüzünde bulunmayanı, örneğin bu arka planı, özniteliklere (features) eklenen küçük bir düzeltme tamamlar. 2020’de biri Barack Obama’nın pikselli bir fotoğrafını verdi, beyaz bir adam çıktı. Pikseller ikisine de uyuyordu; ama üretici, çoğunda beyaz insanların bulunduğu fotoğraflardan öğrenmişti, arama da öyle yüzlerden başlıyordu. Demek ki “yalnızca onaran” bir yöntem bile verisinin yanlılığını (bias) taşır; inandırıcı bir resim kanıt değildir. Yazarlar sonradan makalelerine bir uyarı ekledi.
pulse-paper = Menon ve ark. (2020), PULSE: Self-Supervised Photo Upsampling
pulse-paper-url = https://arxiv.org/abs/2003.03808

# --- yüz komutlarının ortak sözleri
face-none = Bu resimde yüz bulamadım. En iyisi, kameraya bakan ve çok küçük olmayan bir yüz.
face-others = Resimde birden çok yüz var; en büyüğünü aldım.
face-searching = Üreticinin yüzleri arasında fotoğrafa en çok benzeyeni arıyorum: %{ $percent }
face-alt-search = Aramanın şu ana kadar vardığı yüz.
face-not-the-photo = Gördüğün, fotoğrafın kendisi değil, üreticinin ona en çok yaklaşan yüzü; ayrıntıları uydurma.
