### /xor: bir perceptron ile küçük bir ağ, XOR'u okurun gözü önünde öğrenir.

xor = xor
    .description = Perceptron XOR karşısında pes eder, gizli katman öğrenir; canlı izle
    .hidden = gizli
    .hidden-description = Gizli katmandaki birim sayısı, 1 ile 16 arası
    .steps = adım
    .steps-description = Eğitim adımı sayısı, 50 ile 5000 arası
    .seed = tohum
    .seed-description = İlk rastgele ağırlıkların kaynağı; aynı tohum aynı filmi verir

# --- eğitim sürerken
xor-training = Adım: { NUMBER($step) } / { NUMBER($steps) }. Kayıp: perceptron { NUMBER($perceptron, minimumFractionDigits: 2, maximumFractionDigits: 2) }, MLP { NUMBER($mlp, minimumFractionDigits: 2, maximumFractionDigits: 2) }.
xor-drawing = Eğitim bitti; filmi çiziyorum.

# --- ne görüldü
xor-perceptron = Perceptron 4 noktanın en çok { $best } tanesini doğru bildi: yalnızca tek bir düz çizgi çekebiliyor, birleri sıfırlardan ayıran bir çizgi ise yok. Kaybı (loss) ln 2 ≈ 0,69 değerinin altına inemez; bu, her noktaya ½ demenin bedelidir. Burada vardığı yer: { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }.
xor-mlp-learned = { $hidden } gizli birimli MLP, { NUMBER($step) }. adımdan beri 4 noktanın 4’ünü de doğru biliyor; son kaybı { NUMBER($loss, maximumSignificantDigits: 2) }. Gizli katman noktaları öyle taşıdı ki h uzayında tek bir düz çizgi yetiyor.
xor-mlp-one-unit = MLP 4 noktanın { $right } tanesinden öteye geçemedi: tek gizli birimle o da ancak düz bir sınır çizebilir. En az iki birim gerekir.
xor-mlp-plateau = MLP 4 noktanın { $right } tanesini doğru biliyor ve kaybı hâlâ ln 2 dolayında: başladığı düzlükten henüz çıkamadı. Daha çok adım ya da başka bir tohum işe yarar.
xor-mlp-falling = MLP 4 noktanın { $right } tanesini doğru biliyor; kaybı { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) } ve hâlâ düşüyor. Biraz daha adım ver.
xor-mlp-stuck = MLP bir yerel minimuma takıldı: 4 noktanın { $right } tanesi doğru, kayıp { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }; hangi yöne küçük bir adım atsa durum kötüleşiyor. İki gizli birimle yaklaşık her 20 tohumdan birinde böyle olur. Başka bir tohum ya da daha çok gizli birim dene.
xor-view = Gizli birim sayısı { $hidden } olunca h uzayı da { $hidden } boyutlu olur. Resimde yatay eksen çıkış biriminin baktığı yön, dikey eksen noktaların bunun dışında en çok ayrıştığı yön. İkisi birlikte noktaların yayılımını şu oranda gösteriyor: { NUMBER($share, style: "percent", maximumFractionDigits: 0) }.
xor-settings = { NUMBER($steps) } adım, tohum { $seed }, eğitim süresi: { NUMBER($seconds, maximumSignificantDigits: 2) } sn

# --- düğmeler
xor-button-hidden = { $hidden ->
    [one] Yalnızca 1 gizli birim
   *[other] { $hidden } gizli birim
}
xor-button-steps = { NUMBER($steps) } adım

# --- resmin içinde
xor-picture-setup = { $hidden } gizli birim · tohum { $seed }
xor-picture-step = adım { NUMBER($step) } / { NUMBER($steps) }
xor-picture-perceptron = Perceptron: x uzayı
xor-picture-mlp = MLP: x uzayı
xor-picture-h = Öğrenilen h uzayı
xor-picture-loss = Kayıp (loss)
xor-picture-loss-now = kayıp { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }
xor-picture-best = kayıp { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) } · en iyisi { $right }/4 doğru
xor-picture-right = kayıp { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) } · { $right }/4 doğru
xor-picture-h-seen = çıkış biriminin gördüğü
xor-picture-h-directions = { $hidden } boyuttan iki yön
xor-picture-undecided = her yerde ½
xor-picture-tick = { NUMBER($step) }
xor-picture-axis = adım
xor-picture-guess = ln 2 ≈ { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }: tahmin

# --- resimler sözle
xor-alt-film = Eğitimin animasyonu. Sol üstte perceptron: düz bir sınır döner, sonra düzlem neredeyse bütünüyle kararsız kalana dek solar. Sağ üstte kayıplar: perceptron ln 2 düzeyinde kalır, MLP sonunda şuraya varır: { NUMBER($loss, minimumFractionDigits: 2, maximumFractionDigits: 2) }. Sol altta MLP kararları, x düzleminde; sağ altta dört noktanın h uzayındaki yolu. { $ending }
xor-alt-still = Son kare. Sol üstte perceptron için x düzlemi; sağ üstte iki kayıp; sol altta (0, 0), (0, 1), (1, 0) ve (1, 1) noktalarının çevresinde MLP kararları; sağ altta aynı noktalar h uzayında. { $ending }
xor-alt-live = Eğitimin ortasında yan yana iki düzlem ve dört XOR noktası: solda perceptron kararları, sağda MLP kararları.
xor-alt-learned = Sonunda h uzayında birler bir doğrunun bir yanında, sıfırlar öbür yanında.
xor-alt-not-learned = Sonunda MLP 4 noktanın { $right } tanesini doğru yana koymuş durumda.

# --- nasıl çalışıyor
xor-how = XOR, iki girdiden yalnızca biri 1 olduğunda 1 verir. Rosenblatt’ın perceptron’u (1958) düzlemi tek bir düz çizgiyle böler; Minsky ile Papert 1969’da hiçbir çizginin yetmeyeceğini kanıtladı. Gizli katman ise noktaları önce yeni bir uzaya, h uzayına taşır; orada bir çizgi yeter: derin öğrenme, işte böyle bir temsili (representation) örneklerden kendi başına bulmaktır.
xor-paper = Goodfellow, Bengio ve Courville, Deep Learning (2016), bölüm 6.1
xor-paper-url = https://www.deeplearningbook.org/contents/mlp.html
