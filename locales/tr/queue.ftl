queue = kuyruk
    .description = Süren işlerin, ne kadar sürecekleri ve ne kadar meşgul olduğum

queue-nothing = Şu anda süren bir işin yok.
queue-own =
    Süren işlerin:
    { $runs }
queue-run-waiting = • /{ $command }: kuyrukta { $position }. sırada
queue-run-waiting-eta = • /{ $command }: kuyrukta { $position }. sırada, yaklaşık { $duration } içinde biter
queue-run-loading = • /{ $command }: model hazırlanıyor: { $model }
queue-run-progress = • /{ $command }: çalışıyor, { NUMBER($fraction, style: "percent") } tamam
queue-run-working = • /{ $command }: çalışıyor
queue-cancel = İptal: /{ $command }

# --- moderatörler için: başkalarının işleri
queue-others =
    Başkalarının süren işleri:
    { $runs }
queue-whose = { $command } ({ $name })
queue-more = • ve { $count } iş daha

# --- makine ne yapıyor
queue-idle = Şimdilik ne çalışan ne de bekleyen iş var.
queue-state =
    Genel durum:
    { $facts }
queue-working = • çalışan: { $commands }
queue-count = { $count } × /{ $command }
queue-waiting = { $waiting ->
    [0] • bekleyen: yok
    [one] • bekleyen: 1 iş
   *[other] { $people ->
        [0] • bekleyen: { $waiting } iş
       *[other] • bekleyen: { $people } kişiden { $waiting } iş
    }
}
queue-new = • yeni bir iş: yaklaşık { $duration } içinde biter
queue-loading = • hazırlanan model: { $models }
queue-room-compute = resimler ve deneyler
queue-room-text = metinler
queue-room-starting = • { $room }: başlatılıyor; bu sırada gelen işler bekler
queue-room-partly = • { $room }: { $devices } aygıttan { $ready } tanesi hazır, diğerleri başlatılıyor
