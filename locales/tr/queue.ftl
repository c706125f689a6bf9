queue = kuyruk
    .description = Süren işlerin ve ne kadar sürecekleri

queue-nothing = Şu anda süren bir işin yok.
queue-own =
    Süren işlerin:
    { $runs }
queue-run-waiting = • /{ $command }: kuyrukta { $position }. sırada
queue-run-waiting-eta = • /{ $command }: kuyrukta { $position }. sırada, yaklaşık { $duration } içinde biter
queue-run-loading = • /{ $command }: model hazırlanıyor: { $model }
queue-run-progress = • /{ $command }: çalışıyor, { NUMBER($fraction, style: "percent") } tamam
queue-run-working = • /{ $command }: çalışıyor
queue-seconds = { $seconds } saniye
queue-minutes = { $minutes } dakika
queue-total = { $waiting ->
    [0] Model bekleyen kimse yok.
   *[other] Toplam { $waiting } iş model bekliyor.
}
queue-cancel = İptal: /{ $command }
